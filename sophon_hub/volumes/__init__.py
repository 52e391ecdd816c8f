"""What is done with homes while no lab does it: measuring, clearing, filling.

Everything happens in containers that live for a moment, see the volume and nothing else, and
have no network. The worker asks for it; the spawner fills the homes of labs that start.
"""
