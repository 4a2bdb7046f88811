"""What training leaves on disk: records, statistics, selection."""
