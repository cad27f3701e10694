"""A stand-in for GitHub on one machine: no account, no network, the same REST dialect and the same webhooks."""
