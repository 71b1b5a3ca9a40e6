"""The alert inbox and one alert."""
