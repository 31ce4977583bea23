"""The client's fee: dated rates for the site, a client or a project, of which the most specific applies."""
