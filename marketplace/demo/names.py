"""Names for people and companies who do not exist, by where they live."""

from __future__ import annotations

from random import Random

# country: (zones, languages, first names, last names)
PLACES: dict[str, tuple[tuple[str, ...], tuple[str, ...], str, str]] = {
    "US": (
        ("America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles"),
        ("en",),
        "Amara Brooke Caleb Dolores Elena Frank Grace Hector Imani Jonah Keisha Lucas Marisol Nathan Olivia "
        "Patrick Quinn Rosa Samuel Talia Ulysses Vanessa Wesley Ximena Yolanda Zachary",
        "Abbott Alvarez Barnes Castillo Coleman Delgado Ellison Foster Garcia Hayes Ibarra Jensen Kowalski "
        "Lindqvist Mercer Nakamura Okafor Park Quintero Reyes Shapiro Tran Underwood Vasquez Whitaker Young",
    ),
    "GB": (
        ("Europe/London",),
        ("en",),
        "Aisha Benedict Callum Daphne Edward Fiona Gareth Harriet Iain Josephine Kieran Leila Morwenna Niamh "
        "Oliver Priya Rhys Sadie Tobias Una Verity Winifred",
        "Adeyemi Blackwood Chowdhury Davies Ellery Fairfax Gallagher Hargreaves Iqbal Jones Kerr Llewellyn "
        "MacLeod Northcote O'Brien Pemberton Rahman Sinclair Thackeray Whitcombe",
    ),
    "CA": (
        ("America/Toronto", "America/Vancouver"),
        ("en", "fr"),
        "Adèle Bastien Chantal Devon Émile Fatima Geneviève Harjit Isabelle Jasper Karine Liam Maude Noah",
        "Bélanger Chen Dhillon Fraser Gagnon Hoang Lavoie MacKenzie Nguyen Pelletier Roy Singh Tremblay Wong",
    ),
    "DE": (
        ("Europe/Berlin",),
        ("de", "en"),
        "Anneliese Björn Clara Dominik Edda Florian Greta Henrik Ines Jürgen Katharina Lukas Mareike Nils",
        "Albrecht Baumgärtner Dietrich Eichhorn Fuchs Grünwald Hoffmann Krämer Lehmann Özdemir Richter Vogel",
    ),
    "IN": (
        ("Asia/Kolkata",),
        ("en", "hi"),
        "Aarav Bhavna Chirag Deepa Esha Farhan Gauri Harish Ishita Jayant Kavya Lakshmi Manish Nandini Rohan",
        "Agarwal Banerjee Chatterjee Desai Ghosh Iyer Joshi Kulkarni Menon Nair Patel Rao Sharma Verma",
    ),
    "AU": (
        ("Australia/Sydney",),
        ("en",),
        "Alinta Bronte Cooper Darcy Evie Flynn Georgia Hamish Isla Jarrah Kirra Lachlan Matilda Narelle",
        "Armstrong Bailey Campbell Doyle Fitzgerald Hughes Kelly Morgan Nolan Papadopoulos Tran Walsh",
    ),
}
# How often each place is drawn: this is where most of the work is bought and done.
WEIGHTS = {"US": 52, "GB": 14, "CA": 10, "DE": 8, "IN": 10, "AU": 6}

CLIENTS = (
    "Aldermoor AI",
    "Basalt Research",
    "Candela Models",
    "Driftwood Labs",
    "Ember & Oak",
    "Fathom Systems",
    "Gneiss AI",
    "Halyard Intelligence",
    "Isthmus Labs",
    "Juniper Reasoning",
    "Kestrel Models",
    "Lanternfish",
    "Meridian Machines",
    "Northlight AI",
    "Orrery Labs",
    "Pellucid",
    "Quillwork",
    "Rookery Research",
    "Saltmarsh AI",
    "Tessellate",
)


def a_name(chance: Random, country: str) -> str:
    """A first and a last name as they are found in that country."""
    _zones, _languages, first, last = PLACES[country]
    return f"{chance.choice(first.split())} {chance.choice(last.split())}"
