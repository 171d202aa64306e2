"""Interleaved rounds: A B C A B C …, so that a noisy minute hits every side alike."""
import random


def interleave(sides, rounds, warm_up=False):
    """Runs every side (name → function) once a round, in a rotating order; name → results."""
    names = list(sides)
    if warm_up:
        for name in names:
            sides[name]()
    results = {name: [] for name in names}
    for turn in range(rounds):
        shift = turn % len(names)
        for name in names[shift:] + names[:shift]:
            results[name].append(sides[name]())
    return results


def ratios(numerators, denominators):
    """One ratio a round: both sides saw the same minute."""
    return [above / below for above, below in zip(numerators, denominators) if below]


def sample(population, size, seed=1):
    """The same sample for the same population in every run."""
    population = list(population)
    return population if len(population) <= size else random.Random(seed).sample(population, size)
