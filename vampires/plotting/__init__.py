"""Pictures of arrays, drawn without a display."""
