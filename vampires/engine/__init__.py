"""How tasks run and are kept: actions, workers, state, progress, selection."""
