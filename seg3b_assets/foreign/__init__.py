"""What strangers give us, read so that it can do no more than be wrong: tables, documents, folders."""
