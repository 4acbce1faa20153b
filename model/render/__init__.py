"""How a Document is shown or exported: HTML, graph, tables."""
