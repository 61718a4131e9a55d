"""Streamed layers that only move values, and whose hls4ml templates unroll or split more than tools do."""
