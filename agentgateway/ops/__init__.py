"""What runs beside the calls: dashboard, timers, metrics, manhole."""
