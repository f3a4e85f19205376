"""Where every setting comes from; the only readers of the environment.

Nothing is imported here, so that `wheelferry.config.environment` stays cheap: it is asked
before anything else is.
"""
