"""The page that customers open without sign-in: its facts, from timelines."""
