"""Models that go on learning: rows come in order, a champion answers, a challenger learns, and drift is watched for."""
