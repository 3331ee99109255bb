"""Invented names of persons, and identities, which are the names of folders."""

import numpy as np

_FIRST = """
Ada Ahmed Aino Alba Amara Anders Anouk Arjun Aron Asta Bao Beata Bilal Bruno Carla Chidi Clara Dario Dilan
Dora Edgar Efua Elif Emil Enzo Esra Fadi Farah Femi Flora Gita Goran Hana Hugo Ida Igor Ines Ivo Jana Jonas
Kaito Kemal Lena Liam Lucia Malik Mara Mateo Mila Naomi Nils Noor Olga Omar Paula Pavel Rana Rosa Sami Tara
"""
FIRST = tuple(_FIRST.split())
_LAST = """
Abara Adler Almeida Arslan Bakker Barros Bauer Berg Bianchi Blom Borg Castro Chandra Cruz Dahl Diallo Duarte
Eder Egger Engel Faber Falk Ferrari Fonseca Forss Gallo Garnier Gomes Haas Hansen Hoang Holm Ito Jansen Kaya
Keller Khan Kowal Kumar Lang Lindh Lopes Maier Marin Mensah Moreau Mori Nakata Novak Okafor Olsen Park
Petrov Rahman Reis Rossi Sato Silva Tanaka Vidal
"""
LAST = tuple(_LAST.split())


def person_name(seed: int, number: int) -> str:
    """The name of a person, without spaces; persons with different numbers have different names."""
    order = np.random.default_rng([21, seed]).permutation(len(FIRST) * len(LAST))
    round_, place = divmod(number, len(order))
    first, last = divmod(int(order[place]), len(LAST))
    return f"{FIRST[first]}_{LAST[last]}" + (f"-{round_ + 1}" if round_ else "")


def claimed_identities(seed: int, count: int) -> list[str]:
    """`count` different identities in the form of MS-Celeb-1M's MIDs (m. and a number), sorted."""
    numbers = np.random.default_rng([22, seed]).choice(9_999_999, count, replace=False)
    return [f"m.{n:07}" for n in sorted(int(n) + 1 for n in numbers)]
