"""dpa.engine.report: tables, figures and pages made from results."""
