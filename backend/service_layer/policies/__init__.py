"""Policy packs as a service: publishing them, and trying a new one over past claims."""
