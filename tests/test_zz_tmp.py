def test_x(tiny_model, articles, schema):
    import time
    from isnad.model.inference import Extractor
    ex = Extractor.from_pretrained(tiny_model)
    for d in articles:
        p = ex(d.text)
        print(repr(p)[:200])
        assert all(p.text[e.start:e.end]==e.text for e in p.entities)
    assert 0
