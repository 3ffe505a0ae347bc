"""How far above the largest error that can be found are certificates?"""
