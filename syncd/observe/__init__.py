"""Observation: what is wrong now (`conditions`), told by `status`, `/readyz`, metrics, the log and alerts alike."""
