"""The part of Trainwright that runs on the GPU machine: it supervises one training and says what became of it."""

__version__ = "0.1.0"
