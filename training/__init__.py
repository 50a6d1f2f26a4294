"""The training pipeline of Celaje's networks; see README.md in this folder."""
