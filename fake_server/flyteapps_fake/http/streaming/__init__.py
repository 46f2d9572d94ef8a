"""Server streams of the front: their connection to the client, and their bytes."""
