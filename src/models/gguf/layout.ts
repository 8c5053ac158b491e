/** Layouts of llama.cpp's matrices: how numbers go into a file, and how they come back. */

/** [K, N] -> [N, K] */
export const turn = (data: Float32Array, [k, n]: readonly number[]): Float32Array<ArrayBuffer> => {
  const out = new Float32Array(data.length);
  for (let i = 0; i < k!; i++) for (let j = 0; j < n!; j++) out[j * k! + i] = data[i * n! + j]!;
  return out;
};

/** Place of row `row` of a head's `rows` among rotary pairs: row i of a half becomes row 2 i. */
const paired = (row: number, rows: number): number => (row < rows / 2 ? 2 * row : 2 * row - rows + 1);

/** Rows of each head from [first halves, second halves] to pairs. */
export const pairRows = (data: Float32Array, rows: number, heads: number): Float32Array => {
  const out = new Float32Array(data.length);
  const width = data.length / rows;
  const head = rows / heads;
  for (let row = 0; row < rows; row++) {
    const within = row % head;
    const to = row - within + paired(within, head);
    out.set(data.subarray(row * width, (row + 1) * width), to * width);
  }
  return out;
};

/** Undoes `pairRows` in place, a head at a time. */
export const unpairRows = (data: Float32Array, rows: number, heads: number): void => {
  const width = data.length / rows;
  const head = rows / heads;
  for (let start = 0; start < rows; start += head) {
    const own = data.subarray(start * width, (start + head) * width);
    const pairs = own.slice();
    for (let row = 0; row < head; row++) {
      const from = paired(row, head) * width;
      own.set(pairs.subarray(from, from + width), row * width);
    }
  }
};
