"""The kinds of findings, with what each means for the reader of a report."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of finding.

    Attributes:
        title: what it is, for headings.
        about: why it matters and what to do, in plain words.
    """

    title: str
    about: str


# In the order of reports.
KINDS: dict[str, Kind] = {
    "unreadable": Kind(
        "Faults of the files", "These files could not be read, so nothing in them is checked."
    ),
    "signature": Kind(
        "Broken relation signatures",
        "The schema says which entity types may stand at either end of a relation. Correct the relation, the "
        "label of an end, or the signature in the schema; training refuses such data.",
    ),
    "leakage": Kind(
        "Leakage: training texts in the development data",
        "Scores on a text that the model was trained on measure memory. Remove it from one side.",
    ),
    "near_leakage": Kind(
        "Near leakage between training and development data",
        "Nearly the same text stands on both sides, or a long passage does.",
    ),
    "misaligned": Kind(
        "Spans that cut words",
        "A name begins at a word, or after its proclitics (و ف ب ل ك), and ends with a word. Other spans come "
        "from shifted offsets or a slip of the hand; most of them cannot be predicted.",
    ),
    "edge": Kind(
        "Blanks and signs at the edges of spans",
        "Blanks, quotes, punctuation and invisible characters around a name stay outside.",
    ),
    "marks": Kind("Split letters", "A combining mark (a diacritic) belongs to the letter before it."),
    "crossing": Kind("Crossing spans", "Two spans overlap and neither holds the other; spans should nest."),
    "clitic": Kind(
        "Proclitics inside spans",
        "A proclitic (و ف ب ل ك and combinations) stands outside the name. A span that takes it in teaches the "
        "model a second spelling of the name.",
    ),
    "label_conflict": Kind(
        "One name, several labels",
        "The same name is labelled in different ways. Some names are ambiguous (a capital that stands for its "
        "government); a label that occurs once against many others mostly is a slip.",
    ),
    "unannotated_name": Kind(
        "Names that are left unannotated in places",
        "The name is annotated nearly everywhere else. What is left out is learned as not being a name.",
    ),
    "mixed_cluster": Kind(
        "Coreference clusters of several labels", "Mentions of one thing normally have one label."
    ),
    "annotated_twice": Kind(
        "The same text annotated in two ways", "Copies of one text whose annotation differs: one is wrong."
    ),
    "duplicate": Kind("Repeated texts", "A text that stands twice in one part counts twice."),
    "near_duplicate": Kind("Nearly repeated texts", "Texts of one part that differ in a few words."),
    "suspected_missing": Kind(
        "Missing annotations that a model suspects",
        "The model is nearly sure of a name where nothing is annotated. Look at each; models err too.",
    ),
    "suspected_label": Kind(
        "Labels that a model would change",
        "The model has the same span, and is nearly sure of another label.",
    ),
    "few_examples": Kind(
        "Labels with few examples",
        "Rules of thumb: below 20 examples a label is hardly learned, below 100 it is learned unevenly; with "
        "fewer than 30 in the development data its score is too uncertain to compare models by.",
    ),
    "label_drift": Kind(
        "Parts whose labels are distributed differently",
        "The development data should look like the training data, or better, like the texts of later use.",
    ),
    "unreachable": Kind(
        "Gold that the model cannot predict", "It counts as a miss whatever the model learns."
    ),
    "long_text": Kind(
        "Paragraphs longer than the model's window",
        "They are read in overlapping windows; relations between windows cannot be predicted. Line breaks "
        "between paragraphs help.",
    ),
    "empty_document": Kind("Documents without text", "Nothing can be learned from them."),
    "unannotated_document": Kind(
        "Documents without annotation",
        "They teach that nothing in them is a name. Leave out what has not been annotated yet.",
    ),
    "predicted_document": Kind(
        "Documents that a model annotated",
        "Nobody has corrected them yet; training leaves them out, and refuses data that has no others.",
    ),
    "document_id": Kind("Repeated document ids", "Predictions are matched with gold by the id."),
    "characters": Kind(
        "Unusual characters",
        "Counts of characters that cannot be seen or that have several spellings. isnad folds them; other "
        "tools may not. Replacement characters and garbled encodings are damage.",
    ),
}
