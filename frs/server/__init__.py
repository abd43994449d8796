"""The gRPC edge: servicers, interceptors, request rules, health and lifecycle."""
