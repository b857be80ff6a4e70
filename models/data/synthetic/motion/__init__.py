"""Procedural motion: seeded, any length and frame rate; feet are planted by inverse kinematics."""
