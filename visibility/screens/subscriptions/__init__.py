"""The pages of subscriptions."""
