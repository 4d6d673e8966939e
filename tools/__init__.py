"""What builds, generates and checks; `make help` lists the commands."""
