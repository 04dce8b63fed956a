"""Where the files of versions lie: content-addressed, in a folder or a bucket."""
