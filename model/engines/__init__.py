"""Many machines: extraction as tasks of Ray Data or Spark, with the output of a run on one machine.

`run` cuts the inputs into units, each of which one worker reads, extracts and writes by itself: documents travel
neither through Ray's object store nor through a shuffle of Spark, and a unit whose worker was killed is done again
without a trace of the first attempt. All machines must see the inputs, the output and the model under the same paths.

    from isnad.model.engines import run
    run(["shards/"], "out", engine="ray", format="parquet")

Who has a pipeline already maps `Predictor` over it, with Ray Data

    dataset.map_batches(Predictor, fn_constructor_kwargs={"as_json": True, "threads": 1}, batch_size=256,
                        compute=ray.data.ActorPoolStrategy(size=8))

or with Spark

    predictor = Predictor(threads=1)
    frame.mapInPandas(predictor.frames, predictor.spark_schema(frame.schema))
"""

from .driver import ENGINES, run

__all__ = ["ENGINES", "run"]
