"""What a run leaves on the disk while it runs, and how it is found again."""
