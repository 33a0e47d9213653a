"""The contract with Redis: names of keys, values, event rules, assignment."""
