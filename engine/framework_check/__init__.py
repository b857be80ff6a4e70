"""dpa.engine.framework_check: does a framework of the user's own keep the contract?"""
