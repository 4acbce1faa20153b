"""What runs at inference: schema, document, text, model, decoding, rendering."""
