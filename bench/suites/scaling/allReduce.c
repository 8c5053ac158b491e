/* The all-reduce that `bench scaling` compares with: COUNT float32 ROUNDS times, printed as the median milliseconds. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

int main(int argc, char **argv) {
  MPI_Init(&argc, &argv);
  int count = atoi(argv[1]), rounds = atoi(argv[2]), rank;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  float *from = malloc(sizeof(float) * count), *to = malloc(sizeof(float) * count);
  double *ms = malloc(sizeof(double) * rounds);
  for (int i = 0; i < count; i++) from[i] = to[i] = 1;
  for (int k = 0; k < rounds; k++) {
    MPI_Barrier(MPI_COMM_WORLD);
    double start = MPI_Wtime();
    MPI_Allreduce(from, to, count, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
    ms[k] = (MPI_Wtime() - start) * 1e3;
  }
  qsort(ms, rounds, sizeof(double), ascending);
  if (rank == 0) printf("{\"theirsMs\": %g}\n", ms[rounds / 2]);
  MPI_Finalize();
  return 0;
}
