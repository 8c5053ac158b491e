"""Writes search.json: what Optuna 5.0.0, BoTorch 0.18.1 and GPyTorch 1.15.2 compute on fixed trials and points.

- TPE: which trials count as the best (`_split_trials`), and log densities of fixed configurations under both Parzen estimators,
  for one objective, for two, and for two with a constraint and running trials (constant liar).
- Hypervolume of random points in 2 to 5 objectives (`compute_hypervolume`).
- Posterior, marginal likelihood and its gradient of a Gaussian process with a Matern 5/2 kernel at fixed hyperparameters.
- Expected hypervolume improvement, in closed form, of independent normals over fronts of 2 and 3 objectives.
- PED-ANOVA's importances with one objective and with two.

    pip install optuna==5.0.0 botorch==0.18.1 && python3 test/golden/search.py
"""
import json
import warnings
from pathlib import Path

import gpytorch
import numpy as np
import optuna
import torch
from botorch.acquisition.multi_objective.analytic import ExpectedHypervolumeImprovement
from botorch.models.deterministic import GenericDeterministicModel
from botorch.posteriors import GPyTorchPosterior
from botorch.utils.multi_objective.box_decompositions.non_dominated import NondominatedPartitioning
from gpytorch.distributions import MultitaskMultivariateNormal
from optuna._hypervolume import compute_hypervolume
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.importance import PedAnovaImportanceEvaluator
from optuna.samplers import TPESampler
from optuna.samplers._tpe.sampler import _split_trials, default_gamma, default_gamma_multiobjective
from optuna.trial import TrialState, create_trial

warnings.simplefilter("ignore")
optuna.logging.set_verbosity(optuna.logging.ERROR)
torch.set_default_dtype(torch.float64)
rng = np.random.default_rng(3)
# Which of several equal values comes first decides which kernel is wider: NumPy's default differs from machine to machine.
argsort = np.argsort
np.argsort = lambda a, *args, **more: argsort(a, *args, **{**more, "kind": "stable"})

space = {
    "lr": FloatDistribution(1e-4, 1e-1, log=True),
    "decay": FloatDistribution(0, 0.3),
    "layers": IntDistribution(1, 8),
    "width": IntDistribution(16, 256, log=True),
    "optimizer": CategoricalDistribution(["adamw", "muon", "lion"]),
}


def draw():
    return {
        "lr": float(np.exp(rng.uniform(np.log(1e-4), np.log(1e-1)))),
        "decay": float(rng.uniform(0, 0.3)),
        "layers": int(rng.integers(1, 9)),
        "width": int(rng.integers(16, 257)),
        "optimizer": str(rng.choice(["adamw", "muon", "lion"])),
    }


def objectives(p):
    loss = (np.log10(p["lr"]) + 2.5) ** 2 + 2 / p["layers"] + 20 / p["width"] + {"adamw": 0, "muon": -0.3, "lion": 0.4}[p["optimizer"]]
    return [float(loss + 0.1 * rng.normal()), float(p["layers"] * p["width"] ** 2 / 1e5)]


def study_of(n, several, constrained=False, running=0):
    study = optuna.create_study(directions=["minimize"] * (2 if several else 1))
    records = []
    for _ in range(n):
        p = draw()
        values = objectives(p) if several else objectives(p)[:1]
        broken = [float(p["layers"] - 5 + 0.3 * rng.normal())] if constrained else []
        attrs = {"constraints": {"c": broken[0]}} if constrained else {}
        study.add_trial(create_trial(params=p, distributions=space, values=values, **attrs))
        records.append({"values": p, "state": "complete", "objectives": values, **({"violations": broken} if constrained else {})})
    for _ in range(running):
        p = draw()
        study.add_trial(create_trial(params=p, distributions=space, state=TrialState.RUNNING))
        records.append({"values": p, "state": "running"})
    return study, [{"number": i, **r} for i, r in enumerate(records)]


def tpe_case(n, several, **more):
    study, records = study_of(n, several, **more)
    trials = study.get_trials()
    ended = sum(t.state != TrialState.RUNNING for t in trials)
    size = (default_gamma_multiobjective if several else default_gamma)(ended)
    below, above = _split_trials(study, trials, size)
    sampler = TPESampler(multivariate=True, seed=0)
    good = sampler._build_parzen_estimator(study, space, below, handle_below=True)
    rest = sampler._build_parzen_estimator(study, space, above, handle_below=False)
    asked = [draw() for _ in range(8)]
    inner = {k: np.array([d.to_internal_repr(p[k]) for p in asked]) for k, d in space.items()}
    return {
        "trials": records,
        "below": [t.number for t in below],
        "asked": asked,
        "logBelow": good.log_pdf(inner).tolist(),
        "logAbove": rest.log_pdf(inner).tolist(),
    }


def importance_case(n, several):
    study, records = study_of(n, several)
    return {"trials": records, "importance": PedAnovaImportanceEvaluator().evaluate(study)}


def hypervolume_case(axes, n):
    points = np.round(rng.uniform(0, 1.2, (n, axes)), 4)
    return {"points": points.tolist(), "reference": [1.0] * axes, "volume": float(compute_hypervolume(points[(points < 1).all(1)], np.ones(axes)))}


def gp_case():
    n, d = 14, 3
    x = torch.tensor(np.round(rng.uniform(size=(n, d)), 4))
    y = torch.tensor(np.round(np.sin(5 * x[:, 0].numpy()) + x[:, 1].numpy() ** 2 + 0.05 * rng.normal(size=n), 4))
    asked = torch.tensor(np.round(rng.uniform(size=(5, d)), 4))
    inverse, scale, noise = [2.0, 0.7, 0.05], 1.3, 0.02
    logs = torch.tensor(np.log([*inverse, scale, noise]), requires_grad=True)

    class Model(gpytorch.models.ExactGP):
        def __init__(self):
            super().__init__(x, y, gpytorch.likelihoods.GaussianLikelihood())
            self.mean_module = gpytorch.means.ZeroMean()
            self.covar_module = gpytorch.kernels.ScaleKernel(gpytorch.kernels.MaternKernel(nu=2.5, ard_num_dims=d))
            self.covar_module.base_kernel.lengthscale = torch.tensor(inverse) ** -0.5
            self.covar_module.outputscale = scale
            self.likelihood.noise = noise

        def forward(self, z):
            return gpytorch.distributions.MultivariateNormal(self.mean_module(z), self.covar_module(z))

    model = Model().eval()
    with torch.no_grad(), gpytorch.settings.fast_computations(False, False, False):
        posterior = model(asked)
        mean, variance = posterior.mean.tolist(), posterior.variance.tolist()

    # The likelihood's gradient with respect to the logarithms, by autograd over the textbook formula.
    r2 = ((x[:, None] - x[None]) ** 2 @ torch.exp(logs[:d])) + torch.eye(n) * 1e-300
    r = torch.sqrt(5 * r2.clamp_min(1e-300))
    k = torch.exp(logs[d]) * (1 + r + r**2 / 3) * torch.exp(-r) + torch.exp(logs[d + 1]) * torch.eye(n)
    likelihood = torch.distributions.MultivariateNormal(torch.zeros(n), k).log_prob(y)
    (gradient,) = torch.autograd.grad(likelihood, logs)
    return {
        **{"x": x.tolist(), "y": y.tolist(), "asked": asked.tolist(), "inverse": inverse, "scale": scale, "noise": noise},
        **{"mean": mean, "variance": variance, "logLikelihood": likelihood.item(), "gradient": gradient.tolist()},
    }


class Fixed(GenericDeterministicModel):
    """A model whose posterior is the same independent normals wherever it is asked."""

    def __init__(self, mean, deviation):
        super().__init__(f=lambda X: X, num_outputs=len(mean))
        self.mean, self.deviation = torch.tensor(mean), torch.tensor(deviation)

    def posterior(self, X, **_):
        m = self.mean.expand(*X.shape[:-1], -1)
        covariance = torch.diag(self.deviation**2).expand(*X.shape[:-2], -1, -1)
        return GPyTorchPosterior(MultitaskMultivariateNormal(m, covariance))


def ehvi_case(axes, n):
    front = np.round(rng.uniform(0.1, 1, (n, axes)), 4)
    reference = [1.1] * axes
    cases = []
    for _ in range(6):
        mean, deviation = np.round(rng.uniform(0, 1.3, axes), 4).tolist(), np.round(rng.uniform(0.1, 0.4, axes), 4).tolist()
        boxes = NondominatedPartitioning(ref_point=-torch.tensor(reference), Y=-torch.tensor(front))
        acquisition = ExpectedHypervolumeImprovement(Fixed([-m for m in mean], deviation), ref_point=[-r for r in reference], partitioning=boxes)
        cases.append({"mean": mean, "deviation": deviation, "improvement": acquisition(torch.zeros(1, 1, axes)).item()})
    return {"front": front.tolist(), "reference": reference, "cases": cases}


golden = {
    "tpe": {
        "one": tpe_case(40, False),
        "two": tpe_case(60, True),
        "constrained": tpe_case(50, True, constrained=True, running=3),
    },
    "importance": {"one": importance_case(80, False), "two": importance_case(80, True)},
    "hypervolume": [hypervolume_case(axes, n) for axes, n in [(2, 12), (3, 14), (4, 10), (5, 8)]],
    "gp": gp_case(),
    "ehvi": [ehvi_case(axes, n) for axes, n in [(2, 6), (3, 6)]],
}
Path(__file__).with_suffix(".json").write_text(json.dumps(golden) + "\n")
