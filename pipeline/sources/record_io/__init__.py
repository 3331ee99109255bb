"""InsightFace RecordIO (train.rec), read and written without mxnet."""
