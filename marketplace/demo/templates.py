"""What companies ask of experts in each of the six domains, in the words that they would use."""

from __future__ import annotations

from dataclasses import dataclass

from marketplace.gigs.states import Kept, Owner

US_STATES = ("US-CA", "US-NY", "US-TX", "US-FL", "US-IL", "US-PA", "US-MA", "US-WA")
# By country: the type of a credential, and where it is issued.
Issued = dict[str, tuple[str, tuple[str, ...]]]
NURSE: Issued = {"US": ("us_nurse", US_STATES)}
# Their own licences are not among the types that are checked here; all of them are enumerated.
NPI: Issued = {"US": ("us_npi", ("US",))}
BAR: Issued = {"US": ("us_bar", US_STATES)}
CFA: Issued = {"US": ("cfa", ("US",))}
PRESS: Issued = {"GB": ("press_card_uk", ("GB",))}


@dataclass(frozen=True)
class Work:
    """One group. `credentials`: what those hold who are in a domain, by its code. `licensed`: of the gigs for
    which there is such a credential, how many in one ask for it."""

    skills: tuple[str, ...]
    about: tuple[str, ...]
    projects: tuple[tuple[str, str], ...]
    gigs: tuple[tuple[str, str, str], ...]
    credentials: dict[str, Issued]
    licensed: float


GUIDELINES = {
    "review": "Read the whole answer first. Mark each claim right, wrong or unsupported, and say why.",
    "rank": "Rank the four answers from best to worst. Ties are allowed. Say what decided it.",
    "correct": "Change as little as makes it right. Keep the author's voice. Cite what you relied on.",
    "critique": "Name the strongest and the weakest step, and what a colleague would object.",
    "rewrite": "Write it as you would send it to a client. Plain words, nothing invented.",
    "reason": "Think aloud, one step a line, from what is given to what follows. Say where you are unsure.",
    "fact_check": "Find a primary source for each factual sentence, or say that there is none.",
    "find_bias": "Look for what is assumed about people, and for whom the answer would be wrong.",
    "red_team": "Try to get an answer that a professional would never give. Write down what worked.",
    "judge": "Judge as for a shortlist: craft, originality, fitness for the brief. Two sentences each.",
}


@dataclass(frozen=True)
class Use:
    """What a gig states about the use of the work; `uses` are those that some experts refuse."""

    trains: str
    used_in: str
    owned_by: Owner
    kept_for: Kept
    uses: tuple[str, ...] = ()


DATA_USE = (
    Use(
        "One research model, which is also tested with it.",
        "Research at our own house. It is never sold, and not used to imitate you by name.",
        Owner.CLIENT,
        Kept.YEARS_3,
    ),
    Use(
        "Nothing: models are measured with it before they are released.",
        "Reports on how good our models are, without your name.",
        Owner.CLIENT,
        Kept.YEARS_2,
    ),
    Use(
        "Models that professionals use under supervision.",
        "Products for clinics, chambers and newsrooms. It may not replace licensed judgement, and you may "
        "name the project in your record.",
        Owner.CLIENT,
        Kept.YEARS_5,
        ("general_models",),
    ),
)

GROUPS: dict[str, Work] = {
    "medicine": Work(
        skills=(
            "differential diagnosis",
            "dosing",
            "triage",
            "clinical guidelines",
            "patient letters",
            "imaging",
        ),
        about=(
            "I care about the step between the textbook and the patient in front of me.",
            "Most of my work is explaining risk in words that people can use.",
        ),
        projects=(
            (
                "Bedside reasoning",
                "Answers to clinical questions, checked by those who would have to act on them.",
            ),
            ("Safe dosing", "Prescribing answers, reviewed for harm before anything else."),
            ("Plain letters", "Discharge letters that a patient can read."),
        ),
        gigs=(
            (
                "review",
                "Review clinical answers: {field}",
                "Forty short answers a week from a research model.",
            ),
            (
                "reason",
                "Write step-by-step reasoning: {field}",
                "Cases with an open question and no single answer.",
            ),
            ("red_team", "Find unsafe medical advice: {field}", "Look for what could hurt somebody."),
            (
                "correct",
                "Correct patient letters: {field}",
                "Letters drafted by a model, to be made right and kind.",
            ),
        ),
        credentials={
            # Physicians and surgeons.
            "29-12": {"US": ("us_medical_license", US_STATES), "GB": ("gb_doctor", ("GB",))},
            # Nurses, and nurse practitioners.
            **dict.fromkeys(("29-1141", "29-1171"), NURSE),
            # Dentists, pharmacists and physician assistants; physical therapists; psychologists.
            **dict.fromkeys(("29-10", "29-1123", "19-3033"), NPI),
        },
        licensed=0.6,
    ),
    "law": Work(
        skills=("contracts", "civil procedure", "employment law", "legal research", "drafting", "privacy"),
        about=(
            "Fifteen years of drafting taught me to look for the sentence that is missing.",
            "I read the footnotes first.",
        ),
        projects=(
            ("Contract reading", "Clause by clause, what it says and what it does not."),
            ("Citations that exist", "Legal answers, checked against the authorities that they name."),
        ),
        gigs=(
            (
                "fact_check",
                "Check legal citations: {field}",
                "Every authority named must exist and say so.",
            ),
            ("critique", "Critique legal memos: {field}", "Memos of two pages, written by a model."),
            ("rewrite", "Rewrite contract summaries: {field}", "Summaries that a founder can act on."),
        ),
        # Lawyers and judges.
        credentials={"23-1011": BAR, "23-1023": BAR},
        licensed=0.5,
    ),
    "engineering": Work(
        skills=(
            "python",
            "distributed systems",
            "structural analysis",
            "code review",
            "statistics",
            "safety cases",
        ),
        about=(
            "I have been on call for what I built, which makes one careful.",
            "Good engineering is mostly saying what will not work, early.",
        ),
        projects=(
            ("Code that ships", "Patches proposed by a model, reviewed as a colleague would."),
            ("Load paths", "Structural questions with numbers that must be right."),
            ("Proofs of work", "Long reasoning about systems, step by step."),
        ),
        gigs=(
            ("review", "Review proposed patches: {field}", "Ten patches a week, with tests."),
            ("rank", "Rank design proposals: {field}", "Four designs for one problem, each two pages."),
            ("reason", "Write worked solutions: {field}", "From the requirement to the number, every step."),
        ),
        # Not those who write software, nor architects.
        credentials={"17-2": {"US": ("pe_license", US_STATES)}},
        licensed=0.15,
    ),
    "journalism": Work(
        skills=("editing", "interviewing", "fact-checking", "headlines", "house style", "investigations"),
        about=(
            "Twenty years on the desk: I know what a lawyer will ask before we print.",
            "I like short words and named sources.",
        ),
        projects=(
            ("Sourced summaries", "News summaries in which every sentence has a source."),
            ("Fair headlines", "Headlines that say what the story says."),
        ),
        gigs=(
            ("fact_check", "Fact-check news summaries: {field}", "Thirty summaries a week."),
            (
                "find_bias",
                "Find slant in answers: {field}",
                "Politics, money and health, from many countries.",
            ),
            ("rewrite", "Rewrite headlines and leads: {field}", "Make it true first and lively second."),
        ),
        # Reporters, editors and photographers.
        credentials=dict.fromkeys(("27-3023", "27-3041", "27-4021"), PRESS),
        licensed=0.0,
    ),
    "analysis": Work(
        skills=(
            "statistics",
            "financial modelling",
            "survey design",
            "econometrics",
            "spreadsheets",
            "forecasting",
        ),
        about=(
            "I ask what the denominator is.",
            "Half of analysis is finding out what the question was.",
        ),
        projects=(
            ("Numbers that add up", "Financial reasoning in which each figure can be traced."),
            ("Honest uncertainty", "Forecasts, with the range that they deserve."),
        ),
        gigs=(
            ("critique", "Critique financial analyses: {field}", "Find the step where it goes wrong."),
            ("reason", "Write worked analyses: {field}", "From the filing to the figure, every step."),
            (
                "review",
                "Review statistical answers: {field}",
                "Is it the right test, and is it read rightly?",
            ),
        ),
        # Analysts of credit, investments and risk, and advisers.
        credentials=dict.fromkeys(("13-2041", "13-2051", "13-2052", "13-2054"), CFA),
        licensed=0.0,
    ),
    "creative": Work(
        skills=("art direction", "copywriting", "typography", "storytelling", "music", "illustration"),
        about=(
            "I judge work as I would want mine judged: slowly, and with reasons.",
            "The brief is the first thing to question.",
        ),
        projects=(
            ("Taste, with reasons", "Creative work, judged by people who make it."),
            ("Brand voices", "Copy in a voice that is not the writer's own."),
        ),
        gigs=(
            ("judge", "Judge creative work: {field}", "Twenty pieces a week against a brief."),
            ("critique", "Critique drafts: {field}", "What would make it better, and what is worth keeping."),
            ("rewrite", "Rewrite copy: {field}", "Short texts for brands that do not exist."),
        ),
        credentials={},
        licensed=0.0,
    ),
}
