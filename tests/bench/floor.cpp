// The floor under every banger command: the libraries are loaded, nothing is done.
int main() { return 0; }
