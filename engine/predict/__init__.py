"""Predictions of trained models: `from engine.predict import Predictor`, `python -m engine.predict`."""

from engine.predict.predictor import Prediction, Predictor

__all__ = ["Prediction", "Predictor"]
