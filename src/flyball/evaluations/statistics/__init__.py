"""Estimators with their intervals, on numpy alone. Knows arrays of numbers; knows no evaluation, scorer or verdict."""
