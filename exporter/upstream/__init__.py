"""What asks the cloud: signing in, requests with their limits, and one method for each API operation."""
