// Carries the tests' precompiled header; has nothing of its own.
