"""Trains face-recognition networks on a refined data set, and measures models on test sets."""

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read by onnxruntime as it is imported; workers inherit it
