"""What a choice is made from: units of a stream, near-duplicates, the pool."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from isnad.model.document import Document
from isnad.model.errors import DataError
from isnad.training.active import Unit, read_passages, sentences
from isnad.training.active import units as units_module
from isnad.training.active.duplicates import NearDuplicates, resemblance, signature
from isnad.training.active.pool import Candidate, Pool

PLAIN = "قال المتحدث باسم البلدية إن العمل في الطريق رقم {} سينتهي قبل نهاية الأسبوع المقبل"


class TestUnits:
    def test_offsets_are_those_of_the_file(self, tmp_path: Path) -> None:
        text = (
            "\ufeffالتقى قاآني 🇮🇶 قادةَ الحشـــد. ثم سافر إلى بيروت!\r\n\r\n  عاد د. محمد من ﻟﺒﻨﺎﻥ؟ نعم، عاد ١٢.\r"
            "سطر ثالث\u2028سطر رابع"
        )
        (tmp_path / "a.txt").write_bytes(text.encode())
        passages = list(read_passages("a", tmp_path / "a.txt"))
        assert [p.number for p in passages] == [1, 2, 3, 4]
        for passage in passages:
            assert text[passage.start : passage.start + len(passage.text)] == passage.text
            assert passage.text == passage.text.strip()
        found = [u for p in passages for u, _ in p.units("sentence")]
        assert all(text[u.start : u.end] == u.text for u in found)
        assert [u.text for u in found][:4] == [
            "التقى قاآني 🇮🇶 قادةَ الحشـــد.",
            "ثم سافر إلى بيروت!",
            "عاد د. محمد من ﻟﺒﻨﺎﻥ؟",
            "نعم، عاد ١٢.",
        ]
        assert [u.id for u in found][:3] == ["a-p1s1", "a-p1s2", "a-p2s1"]
        assert len({u.id for u in found}) == len(found) == 6

    def test_articles_lose_no_word(self, articles: list[Document]) -> None:
        for document in articles:
            passages = list(units_module.passages(document.id, [(0, document.text)]))
            pieces = [p.text[s:e] for p in passages for s, e in sentences(p.text)]
            assert "".join("".join(pieces).split()) == "".join(document.text.split()).removeprefix("\ufeff")

    def test_a_line_without_end_is_cut_at_blanks(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(units_module, "LONGEST_LINE", 64)
        text = "كلمةٌ " * 100 + "ط" * 100 + "\n" + "آخر سبب"
        (tmp_path / "a.txt").write_text(text, encoding="utf-8")
        passages = list(read_passages("a", tmp_path / "a.txt"))
        assert len(passages) > 10
        assert all(text[p.start : p.start + len(p.text)] == p.text for p in passages)
        assert all(len(p.text.encode()) <= 128 for p in passages)
        assert "".join(p.text for p in passages).replace(" ", "") == text.replace(" ", "").replace("\n", "")
        assert {w for p in passages for w in p.text.split() if "ط" not in w} == {"كلمةٌ", "آخر", "سبب"}

    def test_json_lines(self, tmp_path: Path) -> None:
        path = tmp_path / "a.jsonl"
        path.write_text(
            '\ufeff{"id": "خبر", "text": "سطر أول\\nسطر ثان"}\n\n{"text": "بلا اسم"}\n', encoding="utf-8"
        )
        passages = list(read_passages("a", path))
        assert [(p.source, p.start, p.text) for p in passages] == [
            *(("خبر", 0, "سطر أول"), ("خبر", 8, "سطر ثان"), ("a-3", 0, "بلا اسم")),
        ]

    @pytest.mark.parametrize(
        ("name", "data", "message"),
        [
            ("a.txt", "سطر\n".encode() + b"\xc7\xe1\n", r"a\.txt:2: byte 0xc7 is not UTF-8"),
            ("a.jsonl", b'{"text": 3}\n', r"a\.jsonl:1: no 'text' that is a string"),
            ("a.jsonl", b'{"text": "a"}\n{"text"\n', r"a\.jsonl:2: not JSON"),
            ("a.jsonl", b"[1]\n", r"a\.jsonl:1: found list"),
        ],
    )
    def test_faults_name_the_line(self, tmp_path: Path, name: str, data: bytes, message: str) -> None:
        (tmp_path / name).write_bytes(data)
        with pytest.raises(DataError, match=message):
            list(read_passages("a", tmp_path / name))


class TestNearDuplicates:
    BASE = "التقى حسن نصرالله قائد فيلق القدس إسماعيل قاآني في الضاحية الجنوبية لبيروت يوم الأحد 12 مايو"

    @pytest.mark.parametrize(
        "other",
        [
            "التقى حسن نصر الله قائد فيلق القدس إسماعيل قاآني في الضاحية الجنوبية لبيروت يوم الأحد ١٢ مايو",
            "التقَى حَسَن نصـــر الله قائدَ فيلق القدس اسماعيل قاآني في الضاحية الجنوبية لبيروت، يوم الأحد 12 مايو.",
            "التقى حسن نصرالله قائد فيلق القدس إسماعيل قاآني في الضاحية الجنوبية لبيروت يوم الاحد 13 مايو",
        ],
    )
    def test_spellings_of_one_sentence(self, other: str) -> None:
        index: NearDuplicates[str] = NearDuplicates()
        index.add("base", signature(self.BASE))
        assert index.find(signature(other)) == "base"
        index.remove("base")
        assert index.find(signature(other)) is None and len(index) == 0

    def test_other_sentences(self, articles: list[Document], topics: tuple[str, ...]) -> None:
        index: NearDuplicates[int] = NearDuplicates()
        index.add(0, signature(self.BASE))
        for other in (*topics, "التقى حسن نصرالله وفدا من الحزب الشيوعي", "", "نعم"):
            assert index.find(signature(other)) is None

    def test_the_estimate_is_near_the_truth(self) -> None:
        """Shares of common shingles that are known by construction."""
        random = np.random.default_rng(1)
        letters = [chr(c) for c in random.integers(0x0628, 0x063A, 1200)]
        for share in (0.2, 0.5, 0.8):
            common = int(600 * share * 2 / (1 + share))
            a, b = "".join(letters[:600]), "".join(letters[600 - common : 1200 - common])
            assert resemblance(signature(a), signature(b)) == pytest.approx(share, abs=0.15)


class TestPool:
    def test_keeps_the_best_in_bounded_memory(self, unit: Callable[..., Unit]) -> None:
        random = np.random.default_rng(2)
        keys = random.permutation(5000)
        letters = "ابتثجحخدذرزسشصضطظعغفقكلمنهوي"
        pool = Pool(50)
        for key in keys.tolist():
            text = " ".join("".join(random.choice(list(letters), 6)) for _ in range(8))
            pool.offer(Candidate(unit(text), float(key), key=float(key)))
            assert len(pool) <= 50
        assert [c.key for c in pool.best()] == list(range(4999, 4949, -1))
        assert pool.peak <= 2 * 50 + 17

    def test_of_near_duplicates_the_best_stays(self, unit: Callable[..., Unit]) -> None:
        pool = Pool(10)
        for key, number in ((1.0, 7), (3.0, 8), (2.0, 9)):
            pool.offer(Candidate(unit(PLAIN.format(number)), key, key=key))
        assert [c.key for c in pool.best()] == [3.0] and pool.duplicates == 2

    def test_known_texts_stay_out(self, topics: tuple[str, ...], unit: Callable[..., Unit]) -> None:
        known: NearDuplicates[str] = NearDuplicates()
        known.add("known", signature(PLAIN.format(1)))
        pool = Pool(10, known)
        pool.offer(Candidate(unit(PLAIN.format(2)), 1.0, key=1.0))
        pool.offer(Candidate(unit(topics[0]), 1.0, key=1.0))
        assert [c.unit.text for c in pool.best()] == [topics[0]] and pool.already_known == 1

    def test_no_group_fills_the_pool(self, topics: tuple[str, ...], unit: Callable[..., Unit]) -> None:
        pool = Pool(100)
        for n in range(40):
            text = f"{topics[n % 8]} {'ابجدهوزح'[n % 8] * 9} {'طيكلم'[n // 8] * 40}"
            pool.offer(Candidate(unit(text), 1.0, key=float(n), group="صاروخ"))
        assert [c.key for c in pool.best()] == [39, 38, 37, 36, 35]

    def test_equal_keys_keep_their_order(self, topics: tuple[str, ...], unit: Callable[..., Unit]) -> None:
        pool = Pool(3)
        for n, text in enumerate(topics):
            pool.offer(Candidate(unit(text, str(n)), 1.0, key=1.0))
        assert [c.unit.id for c in pool.best()] == ["0", "1", "2"]
