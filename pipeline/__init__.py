"""Raw photos in, a clean labelled data set out."""

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read by onnxruntime as it is imported; workers inherit it
