make e2e
