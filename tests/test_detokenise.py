"""Split clitics joined as they are written, and sentences recognised whatever their tokens."""

import pytest
from isnad.training.data.detokenise import Detokeniser, spaced
from isnad.training.data.overlap import overlapping


def join(text: str, *, words: str = "", tags: str = "") -> str:
    """Join the tokens of `text`, with `words` in the vocabulary of the corpus."""
    tokens = text.split()
    detokeniser = Detokeniser.learn(
        [(tokens, ["O"] * len(tokens)), (words.split(), ["O"] * len(words.split()))]
    )
    layout = detokeniser.join(tokens, tags.split() or None)
    assert [bool(lo < hi) for lo, hi in layout.tokens] == [True] * len(tokens)
    return layout.text


@pytest.mark.parametrize(
    ("tokens", "joined"),
    [
        ("و قال ان ه ل يفوز ب ها", "وقال انه ليفوز بها"),
        ("ل العراق", "للعراق"),
        ("و ل اللجنة", "وللجنة"),
        ("ل لبنان", "للبنان"),
        ("ل المانيا", "لالمانيا"),
        ("لالاتحاد", "للاتحاد"),
        ("لالعاب", "لالعاب"),
        ("عاصمة ها و مستوى ه", "عاصمتها ومستواه"),
        ("على ه", "عليه"),
        ("بناء ه و اصدقائ هم", "بناءه واصدقائهم"),
        ("ل ان ن ي", "لانني"),
        ("ف ب العراق", "فبالعراق"),
        ("س يفتقد", "سيفتقد"),
        ("ك ما قال", "كما قال"),
        ("الي ك و مع ك", "اليك ومعك"),
        ("تماما ك ما", "تماما كما"),
        ("فرانكفورت ( د ب ا )", "فرانكفورت ( د ب ا )"),
        ("- ا ف ب :", "- ا ف ب :"),
        ("3000 ق . م .", "3000 ق . م ."),
        ("عام 466 ه و 11 كم 2", "عام 466 ه و11 كم 2"),
        ("النقطة ب .", "النقطة ب ."),
        ('و " قال', 'و " قال'),
        ("العرب هم مصدر", "العرب هم مصدر"),
        ("من هم", "منهم"),
        ("في اج تماع", "في اجتماع"),
        ("حصل ا تفاق", "حصل اتفاق"),
        ("م ما جعل", "مما جعل"),
        ("سعر 7 ر 0 دولار", "سعر 7ر0 دولار"),
        ("و", "و"),
    ],
)
def test_clitics_are_joined_as_they_are_written(tokens, joined):
    assert join(tokens, words="عراق لجنة اتحاد قال قال") == joined


def test_names_keep_their_letters():
    # آل before a family name is no article, ها in a name no suffix, هم after a name no suffix.
    assert join("زايد ال نهيان", tags="B-PER I-PER I-PER") == "زايد ال نهيان"
    assert join("ال اسرائيليين", words="الاسرائيليين") == "الاسرائيليين"
    assert join("م ها احمد", tags="B-PER I-PER I-PER") == "مها احمد"
    assert join("خانقين هم", tags="B-GPE O") == "خانقين هم"
    assert join("س احمد", tags="B-PER I-PER") == "س احمد"
    assert join("قال ها احمد", tags="O B-PER I-PER") == "قال ها احمد"


def test_a_proclitic_left_on_a_name_is_told_from_its_first_letter():
    starts = {
        "اوروبا": 200,
        "باوروبا": 3,
        "ابل": 112,
        "بابل": 26,
        "بكين": 13,
        "كين": 2,
        "الازهر": 20,
        "بالازهر": 5,
    }
    detokeniser = Detokeniser({}, starts)
    cut = {w: detokeniser.letters_outside(w) for w in (*starts, "للعراق", "لبنان", "لندن", "للو")}
    assert {w for w, n in cut.items() if n} == {"باوروبا", "بالازهر", "للعراق"}


def test_spaced_keeps_words_apart():
    layout = spaced(["و", "قال"])
    assert (layout.text, layout.tokens, layout.glued) == ("و قال", ((0, 1), (2, 5)), (False, False))


def test_overlap_counts_words_in_a_row():
    text = "قال رئيس الاتحاد للاعبين إن مستقبل السوق في ألمانيا مازال يفتقر إلى الخطوط الواضحة"
    words, others = text.split(), [text]
    assert overlapping(["و" + " ".join(words[5:13])], others) == {0}
    assert overlapping(["قال رئيس الاتحاد ل الاعبين ان مستقبل السوق في"], others) == {0}
    assert overlapping([" ".join(words[2:10])], others) == {0}
    assert overlapping([" ".join(words[2:9])], others) == set()
    assert overlapping([" ".join(words[2:9])], others, run=7) == {0}
    assert overlapping(["، ".join(words[2:10])], others) == {0}
    assert overlapping(["1 2 3 4 5 6 7 8", "9 8 7 6 5 4 3 2 1"], ["0 1 2 3 4 5 6 7 8 9"]) == {0}
    assert overlapping(["...", ""], ["!", "، "]) == set()
