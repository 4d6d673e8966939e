"""Programs that share no code with ours, run against it. Only the standard library and generic
cryptography and HTTP packages may be imported by the peers; a test in this folder sees to it."""
