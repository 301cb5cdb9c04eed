# Needs a network.
pip install torch==2.11.0
pip install --no-build-isolation flash-attn==2.8.3
pip install -e '.[gpu,data]'
