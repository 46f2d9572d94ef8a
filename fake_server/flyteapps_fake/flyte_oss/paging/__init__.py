"""The pages of List, as the cluster behind the backend gives them: its tokens, and what its services were before."""
