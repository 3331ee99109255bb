"""Tests of flows/erase."""
